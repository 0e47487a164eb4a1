"""Destinations that are asked by HTTP: a client beneath (`client`), what an answer means (`answer`, a table per profile), one destination per profile."""
