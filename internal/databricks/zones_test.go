package databricks

import "testing"

func TestIsWorkspace(t *testing.T) {
	for address, want := range map[string]bool{
		"https://adb-123.4.azuredatabricks.net": true, "https://dbc-1.cloud.databricks.com": true, "https://1.2.gcp.databricks.com": true,
		"https://acme.databricks.com": true, "http://127.0.0.1:5000": false, "https://databricks.com.example.org": false,
		"tracemig demo": false, "": false, "%": false,
	} {
		if got := IsWorkspace(address); got != want {
			t.Errorf("%q: %t, want %t", address, got, want)
		}
	}
}
