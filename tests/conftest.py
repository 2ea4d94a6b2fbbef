"""The plug-ins that every test may lean on."""

pytest_plugins = (
    "tests.plugins.absences",
    "tests.plugins.groups",
    "tests.plugins.midnights",
    "tests.plugins.servers",
    "tests.plugins.graphs",
    "tests.plugins.tenants",
    "tests.plugins.letters",
    "tests.plugins.apps",
)
