"""What PyTorch takes for a tensor beyond its bytes.

Source: c10/cuda/CUDACachingAllocator.cpp. A tensor of 10 MiB or more has a segment of its own, a multiple of 2 MiB
(kRoundLarge); what is left of it is given to others only where it is more than 1 MiB (should_split). An engine that prints
what "model loading took" prints the sum with these remainders.
"""

from __future__ import annotations

MIB = 1 << 20
_LARGE, _ROUND, _SPLIT = 10 * MIB, 2 * MIB, 1 * MIB


def waste(size: float) -> float:
    """Return the bytes that are lost behind one tensor of this size."""
    if size < _LARGE:
        return 0.0
    left = -size % _ROUND
    return left if left <= _SPLIT else 0.0
