//! `RayonExecutor` keeps the rules.

use tests::harness::Rayon;

conformance::suite!(Rayon);
