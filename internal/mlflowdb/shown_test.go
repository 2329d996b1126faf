package mlflowdb

import "testing"

// No password of an address is printed, however it is written, and the address stays one that can be used.
func TestWithoutPassword(t *testing.T) {
	for uri, want := range map[string]string{
		"postgresql://ann:pa55w0rd@db:5432/mlflow?sslmode=require":    "postgresql://ann@db:5432/mlflow?sslmode=require",
		"postgresql+psycopg2://ann:12/pa55w0rd@db/mlflow":             "postgresql+psycopg2://ann@db/mlflow",
		"postgresql://ann:5/pa55?w0rd@x@db/mlflow":                    "postgresql://ann@db/mlflow",
		"mysql+pymysql://ann@db/mlflow?a=1&Password=pa55w0rd&b=2":     "mysql+pymysql://ann@db/mlflow?a=1&b=2",
		"postgresql:///mlflow?user=ann&p%61ssword=pa55w0rd":           "postgresql:///mlflow?user=ann",
		"postgresql:///mlflow?p%zzword=pa55w0rd":                      "postgresql:///mlflow",
		"postgresql://@db/mlflow":                                     "postgresql://@db/mlflow",
		"sqlite:////data/mlflow.db":                                   "sqlite:////data/mlflow.db",
		"mssql+pyodbc://ann:pa55w0rd@db/mlflow?driver=ODBC&PWD=pa55w": "mssql+pyodbc://ann@db/mlflow?driver=ODBC",
	} {
		if got := WithoutPassword(uri); got != want {
			t.Errorf("WithoutPassword(%q) = %q, want %q", uri, got, want)
		}
	}
}
