"""How training on one task changes another: looked ahead, estimated from gradients, or measured."""
