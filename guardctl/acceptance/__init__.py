"""`guardctl acceptance`: the drill's main job in a real sandbox account, with plain boto3."""
