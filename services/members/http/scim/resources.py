"""People and groups as directories speak of them: of SCIM's many attributes those that we keep.

Everything else that a directory says is passed over, as RFC 7644 lets a service provider do.
"""

from typing import Annotated, Any, Final

from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    GroupMembership,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimPolicy,
    ScimProvider,
    SearchRequest,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService
from scim2_server.storage import SearchPage

PAGE_MAX: Final = 200


class Address(ComplexAttribute):
    """A mail address. One is kept of each person."""

    value: str | None = None
    type: str | None = Field(None, examples=["work", "home", "other"])
    primary: bool | None = None


class User(Resource[Any]):
    """An official of the member."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """How the directory calls the official."""

    display_name: str | None = None
    """The name of the official."""

    title: str | None = None
    """The function of the official, in the language of the official."""

    preferred_language: str | None = Field(None, examples=["en", "ja", "ko", "fr"])
    """A language, with script and region if needed."""

    active: bool | None = None
    """Whether the official may act."""

    emails: list[Address] | None = None
    """The primary one is kept, else the one for work, else the first."""

    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    """Groups that the official is in."""


class Included(ComplexAttribute):
    """An official in a group. What they are called is not said again here."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )


class Group(Resource[Any]):
    """A group of the directory. Which role it stands for, the member's administrators say."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The name of the group."""

    members: list[Included] | None = None
    """The officials in the group."""


class DirectoryService(ScimService):
    """The protocol, where it leaves a choice as Entra and Okta expect it."""

    def search_response(
        self,
        base_url: str,
        resource_types: list[ResourceType],
        page: SearchPage,
        search_request: SearchRequest[Any],
    ) -> ScimResponse:
        """Give an empty list where nothing was found, and not none."""
        response = super().search_response(base_url, resource_types, page, search_request)
        if response.body is not None:
            response.body.setdefault("Resources", [])
        return response

    def patch_response(
        self,
        base_url: str,
        resource: Resource[Any],
        response_parameters: ResponseParameters[Any],
    ) -> ScimResponse:
        """Show a person who was changed; a group can be large, and is not asked for."""
        if isinstance(resource, User):
            return self.replacement_response(base_url, resource, response_parameters)
        return super().patch_response(base_url, resource, response_parameters)


SERVICE: Final = DirectoryService(
    ScimProvider(
        [User, Group],
        # What Entra sends: attributes that we do not keep, values with `remove`, and addresses to
        # be added to an entry that is not there yet.
        policy=ScimPolicy(
            unknown=ScimPolicy.Unknown.ignore,
            remove_value_as_filter=ScimPolicy.RemoveValue.apply,
            unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
        ),
        config=ServiceProviderConfig(
            patch=Patch(supported=True),
            bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
            filter=Filter(supported=True, max_results=PAGE_MAX),
            change_password=ChangePassword(supported=False),
            sort=Sort(supported=True),
            etag=ETag(supported=True),
            authentication_schemes=[
                AuthenticationScheme(
                    type=AuthenticationScheme.Type.oauthbearertoken,
                    name="Bearer token",
                    description="A token that the member's administrators have made.",
                    primary=True,
                )
            ],
        ),
    )
)
