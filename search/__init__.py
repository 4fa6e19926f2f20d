"""What a need becomes, in motion: rankings, one fused order, explained hits."""
