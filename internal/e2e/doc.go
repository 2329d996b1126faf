// Package e2e proves what tracemig promises on the program itself: its tests, all with the build tag
// rig, run the real binary between a real MLflow server and a stand-in for a SQL warehouse, or local
// Delta tables, and look at both ends by other ways than the program's own.
package e2e
