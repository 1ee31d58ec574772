//! The contract of a store, over every home. A new home is one more line.

use regrant_session_tests::contract;
use regrant_session_tests::backends;

contract!(memory, backends::memory());
contract!(file, backends::file());
contract!(redis, backends::redis());
contract!(sentinels, backends::sentinels());
contract!(cluster, backends::cluster());
