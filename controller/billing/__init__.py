"""What calls and numbers cost: prices, rating, the ledger, settlement, statements; spending under control."""
