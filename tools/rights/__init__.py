"""What each function must be allowed, read off its calls on the embedded cloud."""
