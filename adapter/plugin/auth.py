"""How a site proves who it is: the settings of every scheme, one class each.

A system that speaks HTTP takes them as one field, ``auth: AuthSettings``, so that an operator
writes

    [sites.north.settings.auth]
    type = "oauth2"
    token_url = "https://ehr.example.org/oauth2/token"
    client_id = "social-prescribing"
    client_secret = "file:secrets/north"

and the core does the rest: tokens are fetched, refreshed early, renewed once after a 401, kept in
memory, and sent to the site's own origin alone. A secret is a reference (``env:NAME``,
``file:PATH``); what it refers to is in the field when the plugin sees it, and never in a repr.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from adapter.plugin.system import SystemConfig


class _Scheme(SystemConfig):
    """What every scheme may add: a client certificate, shown when the connection is made."""

    certificate: str | None = Field(
        default=None,
        description="client certificate for mutual TLS, PEM with its chain: file:PATH",
        examples=["file:secrets/client.pem"],
    )
    certificate_key: SecretStr | None = Field(
        default=None,
        description="private key of the client certificate, PEM: file:PATH",
        examples=["file:secrets/client.key"],
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> _Scheme:
        if (self.certificate is None) != (self.certificate_key is None):
            raise ValueError("certificate and certificate_key come together")
        return self


class NoAuth(_Scheme):
    """Nothing is proved: for trying out, and for peers that ask for nothing."""

    type: Literal["none"] = "none"


class BasicAuth(_Scheme):
    """User and password with every request (RFC 7617)."""

    type: Literal["basic"]
    username: str = Field(min_length=1, description="the user's name", examples=["adapter"])
    password: SecretStr = Field(description="reference to the password", examples=["env:PASSWORD"])

    @field_validator("username")
    @classmethod
    def _no_colon(cls, name: str) -> str:
        if ":" in name:
            raise ValueError("expected a name without a colon")
        return name


class ApiKeyAuth(_Scheme):
    """A fixed key in a header."""

    type: Literal["api-key"]
    header: str = Field(
        default="X-API-Key",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="the header that carries the key",
        examples=["X-API-Key"],
    )
    prefix: str = Field(
        default="", description="what stands before the key", examples=["Token "], max_length=32
    )
    key: SecretStr = Field(description="reference to the key", examples=["file:secrets/key"])


class OAuth2Auth(_Scheme):
    """OAuth 2.0 client credentials with a shared secret (RFC 6749, 4.4)."""

    type: Literal["oauth2"]
    token_url: str = Field(
        description="where tokens are given", examples=["https://ehr.example.org/oauth2/token"]
    )
    client_id: str = Field(min_length=1, description="our id at the peer")
    client_secret: SecretStr = Field(
        description="reference to our secret", examples=["file:secrets/client"]
    )
    scope: str = Field(default="", description="what is asked for; empty asks for nothing special")
    audience: str = Field(default="", description="the `audience` parameter, if the peer wants one")
    secret_in: Literal["body", "header"] = Field(
        default="body",
        description="body: client_id and client_secret as form fields; header: HTTP Basic",
    )


class SmartAuth(_Scheme):
    """SMART Backend Services: client credentials with a signed assertion (private_key_jwt).

    SMART App Launch 2.2, "Backend Services" and "Asymmetric authentication".
    """

    type: Literal["smart"]
    client_id: str = Field(min_length=1, description="our id at the peer")
    key: SecretStr = Field(
        description="our private key: PEM, a JWK, or a JWKS whose first key signs (rotation)",
        examples=["file:secrets/smart.pem"],
    )
    algorithm: Literal["RS384", "ES384"] | None = Field(
        default=None, description="default: what fits the key (RSA: RS384, P-384: ES384)"
    )
    key_id: str | None = Field(
        default=None, description="`kid`; default: the key's own, or its RFC 7638 thumbprint"
    )
    token_url: str | None = Field(
        default=None, description="default: found at .well-known/smart-configuration of base_url"
    )
    jwks_url: str | None = Field(
        default=None, description="where our public keys are published, sent as `jku`"
    )
    scope: str = Field(
        default="system/*.rs", description="SMART v2 scopes", examples=["system/Task.cruds"]
    )


class OAuth1Auth(_Scheme):
    """OAuth 1.0a with a person's consent (RFC 5849): `adapter sites authorize` gets the token.

    The three addresses may be relative to the site's base_url; the defaults are the layout of
    Apache CXF's OAuth services beside ``…/services``.
    """

    type: Literal["oauth1"]
    consumer_key: str = Field(min_length=1, description="our key at the peer")
    consumer_secret: SecretStr = Field(
        description="reference to our secret", examples=["file:secrets/consumer"]
    )
    signature_method: Literal["HMAC-SHA1", "HMAC-SHA256"] = Field(
        default="HMAC-SHA1", description="how requests are signed"
    )
    request_token_url: str = Field(default="../oauth/initiate", description="for a request token")
    authorize_url: str = Field(default="../oauth/authorize", description="where a person consents")
    access_token_url: str = Field(default="../oauth/token", description="for the access token")
    signing_base_url: str | None = Field(
        default=None,
        description="base_url as the peer's server sees it, behind a proxy that ends TLS",
        examples=["http://emr.clinic.lan:8080/emr/ws/services"],
    )


class MutualTlsAuth(_Scheme):
    """Our client certificate alone proves who we are."""

    type: Literal["mtls"]

    @model_validator(mode="after")
    def _needed(self) -> MutualTlsAuth:
        if self.certificate is None:
            raise ValueError("mtls needs certificate and certificate_key")
        return self


AuthSettings = Annotated[
    NoAuth | BasicAuth | ApiKeyAuth | OAuth2Auth | SmartAuth | OAuth1Auth | MutualTlsAuth,
    Field(discriminator="type"),
]
"""One of the schemes, chosen by `type`."""
