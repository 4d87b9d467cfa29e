"""Loss of self-distillation (DINO, ICCV 2021), by which a student predicts its teacher's output for other crops."""

import torch
from torch import Tensor

from mmsigma.ops.precision import at_least_float32, full_float32


def self_distillation_loss(
    student: Tensor,
    teacher: Tensor,
    center: Tensor,
    *,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.04,
) -> Tensor:
    """Compute the cross-entropy of student and teacher over all pairs of different crops (DINO, equation 3).

    Args:
        student: Student's logits of all crops, ``(V, B, K)``; the large crops come first.
        teacher: Teacher's logits of the G large crops, ``(G, B, K)``, which get no gradient.
        center: Centre that is subtracted from the teacher's logits, ``(K,)``, so that no prototype dominates.
        student_temperature: Divisor of the student's logits.
        teacher_temperature: Divisor of the teacher's logits.

    Returns:
        Mean over images and pairs of different crops, a scalar.

    Raises:
        ValueError: If there are fewer than two crops.
    """
    if len(student) < 2:
        raise ValueError(f'crops are compared with each other, so there must be two or more, got {len(student)}')
    targets = ((at_least_float32(teacher.detach()) - center) / teacher_temperature).softmax(dim=-1)
    logs = (at_least_float32(student) / student_temperature).log_softmax(dim=-1)
    with full_float32(student.device.type):
        pairs = -torch.einsum('gbk,vbk->gv', targets, logs) / student.shape[1]
    same = torch.eye(*pairs.shape, dtype=torch.bool, device=pairs.device)
    return pairs.masked_fill(same, 0).sum() / (~same).sum()
