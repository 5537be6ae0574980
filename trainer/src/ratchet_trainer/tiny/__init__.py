"""A synthetic yes/no world and a tiny Llama base that knows it: the whole programme on a laptop's CPU."""
