"""`guardctl redrive`: what is in the dead-letter queues, why, and back to work with it."""
