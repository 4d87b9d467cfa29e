"""Label propagation: masks or key points of given frames, carried through a video by the similarity of features."""
