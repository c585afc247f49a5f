"""Has running servers know the logins that their Secrets hold. Each call may be repeated; no list of processes shows a password."""

from conductor.cluster.kubectl import Kubectl
from conductor.cluster.secrets import DEFINITIONS, LOGINS_SQL, Values

IMPORT = "umask 077; cat >/tmp/new.json && rabbitmqctl --quiet import_definitions /tmp/new.json; it=$?; rm -f /tmp/new.json; exit $it"
"""By a file, since rabbitmqctl cannot read a pipe on every version of Erlang."""


def to_database(kubectl: Kubectl, values: Values) -> None:
    """Make roles and databases that are missing, and set the passwords in use."""
    run_sql(kubectl, values[LOGINS_SQL])


def set_password(kubectl: Kubectl, login: str, word: str) -> None:
    """Set a role's password at PostgreSQL. Both texts are ours, and plain."""
    run_sql(kubectl, f"ALTER ROLE {login} PASSWORD '{word}';\n")


def run_sql(kubectl: Kubectl, statements: str) -> None:
    """Run statements as the database's owner, given by standard input."""
    psql = ("psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--username", "postgres")
    kubectl("exec", "--stdin", "statefulset/postgres", "--container", "postgres", "--", *psql, given=statements)


def to_broker(kubectl: Kubectl, values: Values) -> None:
    """Have RabbitMQ read its definitions again, which hold virtual hosts, users and the hashes of their passwords."""
    shell = ("statefulset/rabbitmq", "--container", "rabbitmq", "--", "sh", "-c", IMPORT)
    kubectl("exec", "--stdin", *shell, given=values[DEFINITIONS])
