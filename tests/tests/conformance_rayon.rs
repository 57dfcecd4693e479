//! The rules on `RayonExecutor`.

use tests::harness::Rayon;

conformance::suite!(Rayon);
