//! The contract of a store, over every home. A new home is one more line.

use regrant_session_tests::contract;
use regrant_session_tests::homes;

contract!(memory, homes::memory());
contract!(file, homes::file());
contract!(redis, homes::redis());
contract!(sentinels, homes::sentinels());
contract!(cluster, homes::cluster());
