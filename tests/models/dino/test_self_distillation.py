"""The loss of DINO against a double loop."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models.dino.self_distillation import self_distillation_loss


def test_loss_is_that_of_all_pairs_of_other_crops() -> None:
    torch.manual_seed(0)
    student, teacher, center = torch.randn(4, 3, 5), torch.randn(2, 3, 5), torch.randn(5)
    terms = []
    for seen in range(2):
        target = F.softmax((teacher[seen] - center) / 0.07, dim=1)
        for crop in range(4):
            if crop != seen:
                terms.append(-(target * F.log_softmax(student[crop] / 0.1, dim=1)).sum(dim=1).mean())
    ours = self_distillation_loss(student, teacher, center, teacher_temperature=0.07)
    torch.testing.assert_close(ours, torch.stack(terms).mean())
    with pytest.raises(ValueError, match='two or more'):
        self_distillation_loss(student[:1], teacher, center)
