"""AWS Batch's role, for emulators that want one to be there."""

from cody_backends.aws.calls import Calls
from cody_backends.aws.clients import Aws

_NAME = "cody-batch-service-role"
_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"batch.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)


async def create_service_role(aws: Aws, endpoint: str) -> str:
    """Its ARN. `endpoint` is the emulator's, which has IAM in the same place."""
    async with aws.client_at("iam", endpoint) as iam:
        calls = Calls(aws.name_of("IAM"), patience=10)
        present = await calls.run("ListRoles", iam.list_roles)
        found = [role["Arn"] for role in present["Roles"] if role["RoleName"] == _NAME]
        if found:
            return found[0]
        told = await calls.run("CreateRole", lambda: iam.create_role(RoleName=_NAME, AssumeRolePolicyDocument=_TRUST))
        return told["Role"]["Arn"]
