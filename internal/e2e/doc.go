// Package e2e tests tracemig as a whole. Its tests, all with the build tag rig, run the real binary between a real MLflow
// server and a stand-in for a SQL warehouse, or local Delta tables. They inspect source and target by other means than the
// program's own code.
package e2e
