"""The wire-compatible API: names, codes and habits of the cloud service. Nothing inside knows them."""
