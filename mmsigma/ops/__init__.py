"""Building blocks in plain PyTorch, which need no registry, no config and no file access."""

from mmsigma.ops.affinity import TopkAffinity, propagate, topk_affinity
from mmsigma.ops.clustering import Clustering, assign, kmeans, kmeans_many
from mmsigma.ops.colour import rgb_to_lab
from mmsigma.ops.compiled_graphs import is_traced, opaque
from mmsigma.ops.dense_clustering import (
    ClipClusterer,
    cluster_maps,
    count_ids,
    prepare_maps,
    project_tokens,
    upsample_maps,
)
from mmsigma.ops.fast_linear import (
    Linear,
    choose_cpu_linear,
    cpu_linear_in_use,
    exact_linear,
    fastest_cpu_linear,
    linear,
)
from mmsigma.ops.keypoints import gaussian_labels, weighted_points
from mmsigma.ops.label_transfer import expected_alignment, first_matches, transfer
from mmsigma.ops.masking import (
    TokenSplit,
    every_slot,
    gather_tokens,
    nearest_tubes,
    patchify,
    split_tokens,
    stack_splits,
)
from mmsigma.ops.memory_windows import propagate_windows, search_windows
from mmsigma.ops.motion_masking import bump_map, carry_map, num_visible_tubes, split_by_map
from mmsigma.ops.optimal_transport import sinkhorn, sinkhorn_labels
from mmsigma.ops.position import resize_position_table, sincos_position_table
from mmsigma.ops.precision import (
    at_least_float32,
    check_precision,
    full_float32,
    has_fast_bfloat16,
    network_precision,
)
from mmsigma.ops.repetition import (
    anchor_targets,
    cycle_labels,
    fill_missing,
    gather_window,
    labels_at,
    window_indices,
)
from mmsigma.ops.resizing import resize_labels
from mmsigma.ops.soft_aggregation import aggregate, aggregate_logits
from mmsigma.ops.soft_dtw import (
    AccumulatedCost,
    WarpingPath,
    contrastive_cost,
    cosine_cost,
    dtw_path,
    smooth_dtw,
    smooth_min,
)
from mmsigma.ops.space_time_clustering import (
    VideoClusters,
    add_space_time_code,
    cluster_videos,
    keep_clusters,
    space_time_code,
)
from mmsigma.ops.view_geometry import view_affine, warp_to_view
from mmsigma.ops.warping_paths import FramePath, expected_path, expected_positions, find_path, slope_path

__all__ = [
    'add_space_time_code',
    'AccumulatedCost',
    'ClipClusterer',
    'Clustering',
    'FramePath',
    'Linear',
    'TokenSplit',
    'TopkAffinity',
    'VideoClusters',
    'WarpingPath',
    'aggregate',
    'aggregate_logits',
    'anchor_targets',
    'assign',
    'at_least_float32',
    'bump_map',
    'carry_map',
    'check_precision',
    'cluster_maps',
    'cluster_videos',
    'contrastive_cost',
    'cosine_cost',
    'count_ids',
    'cycle_labels',
    'dtw_path',
    'choose_cpu_linear',
    'cpu_linear_in_use',
    'exact_linear',
    'fastest_cpu_linear',
    'expected_alignment',
    'expected_path',
    'expected_positions',
    'fill_missing',
    'find_path',
    'first_matches',
    'full_float32',
    'every_slot',
    'gather_tokens',
    'gather_window',
    'gaussian_labels',
    'has_fast_bfloat16',
    'is_traced',
    'keep_clusters',
    'kmeans',
    'kmeans_many',
    'labels_at',
    'linear',
    'nearest_tubes',
    'network_precision',
    'num_visible_tubes',
    'opaque',
    'patchify',
    'prepare_maps',
    'project_tokens',
    'propagate',
    'propagate_windows',
    'resize_labels',
    'resize_position_table',
    'rgb_to_lab',
    'search_windows',
    'sincos_position_table',
    'sinkhorn',
    'sinkhorn_labels',
    'slope_path',
    'smooth_dtw',
    'smooth_min',
    'space_time_code',
    'split_by_map',
    'split_tokens',
    'stack_splits',
    'topk_affinity',
    'transfer',
    'upsample_maps',
    'view_affine',
    'warp_to_view',
    'weighted_points',
    'window_indices',
]
