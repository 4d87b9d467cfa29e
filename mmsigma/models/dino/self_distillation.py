"""Self-distillation without labels (DINO, ICCV 2021): a student predicts what its teacher makes of other crops."""

import torch
from torch import Tensor


def self_distillation_loss(
    student: Tensor,
    teacher: Tensor,
    center: Tensor,
    *,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.04,
) -> Tensor:
    """Cross-entropy of the student's view of each crop with the teacher's of every other one (DINO, equation 3).

    Args:
        student: Logits of all crops (V, B, K), those that the teacher sees first.
        teacher: Logits of the large crops (G, B, K), G >= 1; without gradient.
        center: Subtracted from the teacher's (K,), so that no prototype wins everywhere.
        student_temperature: Divides the student's logits.
        teacher_temperature: Divides the teacher's.

    Returns:
        Mean over images and pairs of different crops.

    Raises:
        ValueError: If there are not two crops.
    """
    if len(student) < 2:
        raise ValueError(f'crops are compared with each other: two or more are needed, got {len(student)}')
    targets = ((teacher.detach().float() - center) / teacher_temperature).softmax(dim=-1)
    logs = (student.float() / student_temperature).log_softmax(dim=-1)
    pairs = -torch.einsum('gbk,vbk->gv', targets, logs) / student.shape[1]
    same = torch.eye(*pairs.shape, dtype=torch.bool, device=pairs.device)
    return pairs.masked_fill(same, 0).sum() / (~same).sum()
