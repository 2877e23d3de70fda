from tests.support import runtime_types as runtime_types  # pytest finds the type checker as tests.runtime_types.check
