"""Which images are drawn: few-shot samples, subsets of classes, the order of an epoch."""
