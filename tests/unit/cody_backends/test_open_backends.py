from cody_backends.aws.job_store import DynamoJobStore
from cody_backends.aws.work_queue import SqsWorkQueue
from cody_backends.open_backends import open_backends
from cody_backends.postgres.job_store import PostgresJobStore
from cody_backends.postgres.result_store import PostgresResultStore
from cody_backends.postgres.token_store import PostgresTokenStore
from cody_backends.postgres.work_queue import PostgresWorkQueue
from cody_backends.settings import BackendFamily, BackendSettings
from tests.servers.aws_server import AwsServer
from tests.support.aws import environment_of
from tests.support.dynamodb_tables import create_tables


async def test_everything_is_in_postgresql_unless_aws_is_chosen(backend_settings: BackendSettings) -> None:
    async with open_backends(backend_settings) as backends:
        assert isinstance(backends.jobs, PostgresJobStore)
        assert isinstance(backends.queue, PostgresWorkQueue)


async def test_on_aws_results_and_tokens_stay_in_postgresql(database_url: str, moto_server: AwsServer) -> None:
    async with moto_server.dynamodb() as client, create_tables(client, moto_server) as aws:
        settings = BackendSettings(cody_backend=BackendFamily.AWS, database_url=database_url, aws=aws)
        with environment_of(moto_server.environment("dynamodb", "sqs")):
            async with open_backends(settings) as backends:
                assert isinstance(backends.jobs, DynamoJobStore)
                assert isinstance(backends.queue, SqsWorkQueue)
                assert isinstance(backends.results, PostgresResultStore)
                assert isinstance(backends.tokens, PostgresTokenStore)
                await backends.jobs.ping()
