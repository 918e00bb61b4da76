"""What decides whether clients reach an endpoint and cannot be seen from here: named. Pure."""

from guard.endpoint.state import Vpc


def unseen(vpc: Vpc) -> tuple[str, ...]:
    """What decides whether clients find the endpoint, and cannot be seen from here."""
    if not vpc.resolvers:
        return ()
    servers = ", ".join(vpc.resolvers)
    given = f"clients are given the DNS servers {servers} ({vpc.dhcp_options_id})"
    return (f"{given}: whether these know the endpoint's private name cannot be seen",)
