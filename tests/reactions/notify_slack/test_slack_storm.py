"""Many findings and a Slack that has a bad day. `python -m benchmarks.slack` sends ten thousand."""

from benchmarks.slack import A_SECOND, run


def test_every_finding_arrives_or_is_kept_once_and_at_slacks_rate(cloud):
    outcome = run(cloud, findings=120, seed=1)
    assert outcome.lost == set()
    assert outcome.unmarked_repeats == []
    assert outcome.repeated <= outcome.did["answer lost"]
    assert outcome.closest >= A_SECOND
    assert sum(outcome.did.values()) >= 5
    assert outcome.good
