"""Subscriptions: making, confirming, listing, changing and ending them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.call import Call, Reply
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.http.client import HttpError, check_url
from fogbank.core.paging import cut_page, encode_token
from fogbank.delivery import Message
from fogbank.services.sns import storage as rows
from fogbank.services.sns._api.frame import SnsBase, after, need_topic
from fogbank.services.sns._attributes import (
    allows_large,
    changed_subscription,
    check_subscription_attributes,
    subscription_attributes,
)
from fogbank.services.sns._envelopes import Sign, Stamp, farewell, invitation, timestamp
from fogbank.services.sns._retries import MANAGED, web_policy
from fogbank.services.sns._sending import PRINCIPAL, TARGET, WEB, carried, web_parameters
from fogbank.services.sns.errors import (
    AuthorizationError,
    FilterPolicyLimitExceededError,
    InvalidParameterError,
    SubscriptionDoesNotExistError,
    SubscriptionLimitExceededError,
)
from fogbank.services.sns.model import (
    CONFIRMATION_LIFETIME,
    LACKING,
    MAXIMUM_FILTERS,
    MAXIMUM_SUBSCRIPTIONS_LARGE,
    PAGE,
    Protocol,
    State,
    Subscription,
    Topic,
    TopicKey,
    check_subscription_arn,
    parse_arn,
    topic_key,
)
from fogbank.services.sns.worker import EXPIRY_TOPIC
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as t

_TOKEN_DIGITS = 160
_SCAN = 1_000


class SubscriptionOperations(SnsBase):
    """What subscribers call."""

    async def subscribe(self, call: Call, request: t.SubscribeInputTypeDef) -> Reply:
        """Subscribe an endpoint; one that is there already with these attributes is found."""
        key = topic_key(request["TopicArn"], call.scope)
        audience = await self.topics.audience(key)
        protocol = _protocol(audience.topic, request["Protocol"])
        endpoint = request.get("Endpoint") or ""
        confirmed = _check_endpoint(call, audience.topic, protocol, endpoint)
        attributes = check_subscription_attributes(audience.topic, protocol, request.get("Attributes") or {})
        caller = await self.kit.cloud.call(
            call.scope, "sts", "GetCallerIdentity", {}, trace=call.trace, principal=call.principal
        )
        made = Subscription(
            arn=f"{key.arn}:{self.kit.ids.uuid()}",
            topic=audience.topic.id,
            topic_arn=key.arn,
            protocol=protocol,
            endpoint=endpoint,
            owner=call.scope.account,
            attributes=attributes,
            principal=caller["Arn"],
            state=State.CONFIRMED if confirmed else State.PENDING,
            authenticated=confirmed,
            token=self.kit.ids.hex(_TOKEN_DIGITS),
            expires=None if confirmed else self.clock.millis() + CONFIRMATION_LIFETIME,
        )
        sign, stamp = await self._writer(audience.topic)

        async def body(tx: Tx) -> Subscription:
            topic = await need_topic(tx, key)
            found = await self._join(tx, topic, replace(made, topic=topic.id))
            if found.pending:
                await self._greet(tx, call, topic, found, invitation(topic, found, stamp, sign), stamp)
            return found

        found = await self.kit.storage.transact(body)
        shown = found.arn if request.get("ReturnSubscriptionArn") or not found.pending else "pending confirmation"
        return {"SubscriptionArn": shown}

    async def _join(self, tx: Tx, topic: Topic, made: Subscription) -> Subscription:
        """Store a subscription, or find the one that is there."""
        present = await rows.find_endpoint(tx, topic, made.protocol, made.endpoint)
        if present is not None and present.state is State.ENDED:
            await rows.delete_subscription(tx, present)
            present = None
        if present is not None:
            if any(present.attributes.get(name) != value for name, value in made.attributes.items()):
                raise InvalidParameterError("Attributes Reason: Subscription already exists with different attributes")
            return present
        await _check_limits(tx, topic, made)
        await rows.put_subscription(tx, made, topic.key.region)
        self.topics.changed(tx, topic.key)
        if made.pending:
            tx.wake(EXPIRY_TOPIC)
        return made

    async def _writer(self, topic: Topic) -> tuple[Sign, Stamp]:
        """What signs and dates a message about a subscription."""
        key = await self.signer.key()
        version = topic.signature_version
        stamp = Stamp(
            self.kit.ids.uuid(),
            timestamp(self.clock.time()),
            self.kit.config.endpoint,
            version,
            self.signer.url(key),
        )
        return lambda text: key.sign(text, version), stamp

    async def _greet(
        self, tx: Tx, call: Call, topic: Topic, subscription: Subscription, payload: bytes, stamp: Stamp
    ) -> None:
        """Send a message about a subscription to its endpoint."""
        web = subscription.protocol.is_web
        about = carried(topic, subscription)
        kind = "SubscriptionConfirmation" if subscription.state is State.PENDING else "UnsubscribeConfirmation"
        policies = topic.attributes.get("DeliveryPolicy", ""), subscription.attributes.get("DeliveryPolicy", "")
        await self.kit.delivery.enqueue(
            tx,
            Message(
                target=subscription.endpoint,
                payload=payload,
                scope=topic.key.scope,
                trace=call.trace,
                route=WEB if web else TARGET,
                source=PRINCIPAL,
                parameters=web_parameters(kind, stamp.message_id, topic, subscription) if web else {},
                policy=web_policy(*policies).retries if web else MANAGED,
                dead_letter_attributes=about,
            ),
        )

    async def confirm_subscription(self, call: Call, request: t.ConfirmSubscriptionInputTypeDef) -> Reply:
        """Confirm a subscription by the token that its endpoint got. Needs no signature, as on AWS."""
        arn = parse_arn(request["TopicArn"], "TopicArn")
        key = topic_key(request["TopicArn"], arn.scope)
        now = self.clock.millis()
        guarded = (request.get("AuthenticateOnUnsubscribe") or "").lower() == "true"

        async def body(tx: Tx) -> str:
            topic = await need_topic(tx, key)
            found = await rows.find_token(tx, request["Token"])
            if found is None or found.topic != topic.id or (found.expires is not None and found.expires <= now):
                raise InvalidParameterError("Token")
            if found.state is not State.CONFIRMED:
                confirmed = replace(
                    found,
                    state=State.CONFIRMED,
                    expires=None,
                    authenticated=not _anonymous(call),
                    guarded=guarded and not _anonymous(call),
                )
                await rows.put_subscription(tx, confirmed, key.region)
                self.topics.changed(tx, key)
            return found.arn

        return {"SubscriptionArn": await self.kit.storage.transact(body)}

    async def unsubscribe(self, call: Call, request: t.UnsubscribeInputTypeDef) -> Reply:
        """End a subscription. Who is not known ends one by its link, and its endpoint is told how to restore it."""
        arn = check_subscription_arn(request["SubscriptionArn"])
        key = _topic_of(arn)
        found = await self.kit.storage.read(lambda tx: rows.find_subscription(tx, arn))
        if found is None or found.state is State.ENDED:
            return {}
        if found.guarded and _anonymous(call):
            raise AuthorizationError
        tells = found.protocol.is_web and _anonymous(call) and found.state is State.CONFIRMED
        token, expires = self.kit.ids.hex(_TOKEN_DIGITS), self.clock.millis() + CONFIRMATION_LIFETIME

        async def body(tx: Tx) -> None:
            topic = await rows.find_topic(tx, key)
            present = await rows.find_subscription(tx, arn)
            if topic is None or present is None:
                return
            await rows.count_deleted(tx, present)
            self.topics.changed(tx, key)
            if not tells:
                await rows.delete_subscription(tx, present)
                return
            ended = replace(present, state=State.ENDED, token=token, expires=expires)
            await rows.put_subscription(tx, ended, key.region)
            tx.wake(EXPIRY_TOPIC)
            await self._greet(tx, call, topic, ended, farewell(topic, ended, stamp, sign), stamp)

        if tells:
            topic = await self.kit.storage.read(lambda tx: need_topic(tx, key))
            sign, stamp = await self._writer(topic)
        await self.kit.storage.transact(body)
        return {}

    # -- lists and attributes -----------------------------------------------------------------------------

    async def list_subscriptions(self, call: Call, request: t.ListSubscriptionsInputTypeDef) -> Reply:
        """The caller's subscriptions, a hundred at a time."""
        begin, scope = after(request), call.scope
        found = await self.kit.storage.read(lambda tx: rows.of_owner(tx, scope.account, scope.region, begin, PAGE + 1))
        return _page(found)

    async def list_subscriptions_by_topic(self, call: Call, request: t.ListSubscriptionsByTopicInputTypeDef) -> Reply:
        """A topic's subscriptions, a hundred at a time."""
        key = topic_key(request["TopicArn"], call.scope)
        begin = after(request)

        async def body(tx: Tx) -> list[Subscription]:
            return await rows.of_topic(tx, await need_topic(tx, key), begin, PAGE + 1)

        return _page(await self.kit.storage.read(body))

    async def get_subscription_attributes(
        self,
        call: Call,  # noqa: ARG002 - the ARN says all
        request: t.GetSubscriptionAttributesInputTypeDef,
    ) -> Reply:
        """All attributes of a subscription."""
        arn = check_subscription_arn(request["SubscriptionArn"])

        async def body(tx: Tx) -> dict[str, str]:
            topic, subscription = await _both(tx, arn)
            return subscription_attributes(topic, subscription)

        return {"Attributes": await self.kit.storage.read(body)}

    async def set_subscription_attributes(
        self,
        call: Call,  # noqa: ARG002 - the ARN says all
        request: t.SetSubscriptionAttributesInputTypeDef,
    ) -> Reply:
        """Set one attribute of a subscription; an empty value takes it away."""
        arn = check_subscription_arn(request["SubscriptionArn"])
        name, value = request["AttributeName"], request.get("AttributeValue", "")

        async def body(tx: Tx) -> None:
            topic, subscription = await _both(tx, arn)
            attributes = changed_subscription(topic, subscription, name, value)
            changed = replace(subscription, attributes=attributes)
            if name == "FilterPolicy" and value and not subscription.attributes.get(name):
                await _check_filters(tx, topic)
            await rows.put_subscription(tx, changed, topic.key.region)
            self.topics.changed(tx, topic.key)

        await self.kit.storage.transact(body)
        return {}


def _protocol(topic: Topic, text: str) -> Protocol:
    if text in LACKING:
        if topic.fifo:
            raise InvalidParameterError(f"Invalid protocol type: {text}")
        raise NotImplementedByFogbank(f"Fogbank does not implement subscriptions of the protocol {text} yet")
    try:
        protocol = Protocol(text)
    except ValueError:
        raise InvalidParameterError(f"Amazon SNS does not support this protocol string: {text}") from None
    if topic.fifo and protocol is not Protocol.SQS:
        raise InvalidParameterError(f"Invalid protocol type: {text}")
    return protocol


def _check_endpoint(call: Call, topic: Topic, protocol: Protocol, endpoint: str) -> bool:
    """Whether the caller owns the endpoint, so that nobody needs to confirm the subscription."""
    if not endpoint:
        raise InvalidParameterError("Endpoint")
    if protocol.is_web:
        _check_web(protocol, endpoint)
        return False
    arn = _endpoint_arn(protocol, endpoint)
    if protocol is Protocol.SQS and arn.resource.endswith(".fifo") and not topic.fifo:
        raise InvalidParameterError(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
        )
    if protocol is Protocol.LAMBDA and arn.account != call.scope.account:
        raise NotImplementedByFogbank("Fogbank does not implement subscriptions of functions of other accounts yet")
    return arn.account == call.scope.account


def _endpoint_arn(protocol: Protocol, endpoint: str) -> Arn:
    wrong = InvalidParameterError("SQS endpoint ARN" if protocol is Protocol.SQS else "Lambda endpoint ARN")
    try:
        arn = Arn.parse(endpoint)
    except MalformedArnError:
        raise wrong from None
    if arn.service != protocol or not arn.region or not arn.account:
        raise wrong
    if protocol is Protocol.LAMBDA and not arn.resource.startswith("function:"):
        raise wrong
    return arn


def _check_web(protocol: Protocol, endpoint: str) -> None:
    if not endpoint.startswith(f"{protocol}://"):
        raise InvalidParameterError("Endpoint must match the specified protocol")
    try:
        check_url(endpoint, clear=True)
    except (ValueError, HttpError) as error:
        raise InvalidParameterError(f"Endpoint Reason: {error}") from None


async def _check_limits(tx: Tx, topic: Topic, made: Subscription) -> None:
    if allows_large(topic.attributes):
        if made.protocol.is_web:
            raise InvalidParameterError(
                "Protocol Reason: a topic with messages above 256 KiB has Amazon SQS, Amazon Data Firehose, and Lambda "
                "subscriptions only"
            )
        if sum(await rows.count(tx, topic)) >= MAXIMUM_SUBSCRIPTIONS_LARGE:
            raise SubscriptionLimitExceededError(
                "Subscription limit exceeded: a topic with messages above 256 KiB has 100 subscriptions at most"
            )
    if made.attributes.get("FilterPolicy"):
        await _check_filters(tx, topic)


async def _check_filters(tx: Tx, topic: Topic) -> None:
    """Refuse one more filter policy than a topic may have."""
    count, begin = 0, ""
    while page := await rows.of_topic(tx, topic, begin, _SCAN):
        count += sum(bool(each.attributes.get("FilterPolicy")) for each in page)
        begin = page[-1].arn
    if count >= MAXIMUM_FILTERS:
        raise FilterPolicyLimitExceededError(f"A topic has {MAXIMUM_FILTERS} filter policies at most")


async def _both(tx: Tx, arn: str) -> tuple[Topic, Subscription]:
    subscription = await rows.find_subscription(tx, arn)
    if subscription is None or subscription.state is State.ENDED:
        raise SubscriptionDoesNotExistError
    return await need_topic(tx, _topic_of(arn)), subscription


def _topic_of(subscription_arn: str) -> TopicKey:
    arn = parse_arn(subscription_arn, "SubscriptionArn")
    return TopicKey(arn.account, arn.region, arn.resource.partition(":")[0])


def _anonymous(call: Call) -> bool:
    """Whether nobody signed the request: it came by a link."""
    return not (call.principal.access_key or call.principal.service)


def _page(found: Sequence[Subscription]) -> dict[str, Any]:
    page, more = cut_page(found, PAGE)
    return {
        "Subscriptions": [_row(each) for each in page],
        "NextToken": encode_token(page[-1].arn) if more else None,
    }


def _row(subscription: Subscription) -> Mapping[str, str]:
    return {
        "SubscriptionArn": "PendingConfirmation" if subscription.pending else subscription.arn,
        "Owner": subscription.owner,
        "Protocol": subscription.protocol.value,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic_arn,
    }
