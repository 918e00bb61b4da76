import pytest


@pytest.fixture(scope="module")
def namespace():
    """Of the metrics: Powertools writes them out whenever there are a hundred."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "test")
        patch.setenv("POWERTOOLS_SERVICE_NAME", "toy")
        yield
