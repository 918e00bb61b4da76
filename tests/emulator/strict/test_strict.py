"""Putting the strict layer on moto and taking it off again."""

from moto.ec2.models import EC2Backend
from moto.ec2.models.vpcs import VPCBackend
from moto.secretsmanager.responses import SecretsManagerResponse

from emulator import strict as layer
from emulator.strict import Options, install, options, strict, uninstall


def seen():
    return (
        VPCBackend.create_vpc_endpoint,
        EC2Backend.delete_subnet,
        vars(VPCBackend)["_filter_endpoint_services"],
        getattr(SecretsManagerResponse, "validate_resource_policy", None),
    )


def test_everything_is_put_back(monkeypatch):
    uninstall()
    plain = seen()
    install()
    installed = seen()
    assert all(now is not before for now, before in zip(installed, plain, strict=True))
    install()
    assert seen() == installed
    uninstall()
    assert seen() == plain


def test_a_block_inside_an_installation_leaves_it_as_it_was():
    install()
    options.pending_seconds = 7
    installed = seen()
    with strict() as inner:
        inner.pending_seconds = 1
    assert seen() == installed
    assert options.pending_seconds == 7


def test_a_block_of_its_own_takes_everything_away():
    uninstall()
    plain = seen()
    with strict() as inner:
        inner.throttle = True
        assert seen() != plain
    assert seen() == plain
    assert options == Options()


def test_the_package_says_what_it_offers():
    assert set(layer.__all__) <= set(vars(layer))
