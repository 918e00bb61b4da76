"""The loop that every reaction stands on."""
