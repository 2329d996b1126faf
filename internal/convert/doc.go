// Package convert makes one MLflow trace into the rows of the OTEL tables. It is pure: no network, no
// database, no clock; the same input gives the same rows, byte for byte.
package convert
