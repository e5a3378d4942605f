"""The RPCs that a browser may call through a socket, read off the contract's descriptors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf import message, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from cofounder.billing.v1 import billing_service_pb2
from cofounder.runner.v1 import project_service_pb2, runner_service_pb2
from cofounder.usage.v1 import usage_service_pb2

# Builds are watched by `Watch`, which shares one upstream; webhooks come by HTTP, not from browsers.
_DENIED = frozenset(
    {"cofounder.runner.v1.RunnerService/WatchBuild", "cofounder.billing.v1.BillingService/IngestStripeEvent"}
)


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: its full name, whether it streams, and what goes in and comes out."""

    name: str
    streams: bool
    request: type[message.Message]
    response: type[message.Message]


def allowed() -> Mapping[str, Method]:
    """Returns the callable methods by full name, `cofounder.runner.v1.RunnerService/StartBuild`."""
    services = (
        runner_service_pb2.DESCRIPTOR.services_by_name["RunnerService"],
        project_service_pb2.DESCRIPTOR.services_by_name["ProjectService"],
        usage_service_pb2.DESCRIPTOR.services_by_name["UsageService"],
        billing_service_pb2.DESCRIPTOR.services_by_name["BillingService"],
    )
    return {method.name: method for service in services for method in _of(service)}


def _of(service: ServiceDescriptor) -> Iterator[Method]:
    for descriptor in service.methods:
        name = f"{service.full_name}/{descriptor.name}"
        if not descriptor.client_streaming and name not in _DENIED:
            yield _method(name, descriptor)


def _method(name: str, descriptor: MethodDescriptor) -> Method:
    return Method(
        name=name,
        streams=descriptor.server_streaming,
        request=message_factory.GetMessageClass(descriptor.input_type),
        response=message_factory.GetMessageClass(descriptor.output_type),
    )
