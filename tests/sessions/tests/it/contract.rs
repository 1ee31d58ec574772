//! Runs the contract of stores over every backend. A new backend is one more line.

use regrant_session_tests::backends;
use regrant_session_tests::contract;

contract!(memory, backends::memory());
contract!(file, backends::file());
contract!(redis, backends::redis());
contract!(sentinels, backends::sentinels());
contract!(cluster, backends::cluster());
contract!(postgres, backends::postgres());
contract!(custom, backends::custom());
contract!(moving, backends::moving());
