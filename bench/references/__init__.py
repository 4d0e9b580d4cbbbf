"""Peers, each written from its paper in plain torch with autograd; nothing of Penchant is used."""
