def artefact(folder, url):
    return "no custodian yet"


CALLS = 0


def start(*a): ...
