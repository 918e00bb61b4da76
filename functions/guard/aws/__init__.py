"""How AWS is called, and what its refusals mean; nothing of what is asked."""
