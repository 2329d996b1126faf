package uilinks

import "testing"

func TestAtServer(t *testing.T) {
	for server, want := range map[string]string{
		"http://127.0.0.1:5000":                     "http://127.0.0.1:5000/#/experiments/1/traces?selectedEvaluationId=tr-1",
		"https://ml.example.com/base/":              "https://ml.example.com/base/#/experiments/1/traces?selectedEvaluationId=tr-1",
		"https://ml.example.com?workspace=a+b":      "https://ml.example.com/#/experiments/1/traces?selectedEvaluationId=tr-1&workspace=a+b",
		"https://ann:secret@ml.example.com?token=x": "https://ml.example.com/#/experiments/1/traces?selectedEvaluationId=tr-1",
		"tracemig demo":                             "", "javascript://x/%0aalert(1)": "", "sqlite:///mlflow.db": "",
	} {
		if got := AtServer(server, "1", "tr-1"); got != want {
			t.Errorf("%s: %s, want %s", server, got, want)
		}
	}
	const want = "http://h/#/experiments/1%2F%3Fx/traces?selectedEvaluationId=tr-%26%23%22%3E"
	if got := AtServer("http://h", "1/?x", `tr-&#">`); got != want {
		t.Errorf("hostile IDs: %s, want %s", got, want)
	}
}

func TestAtWorkspace(t *testing.T) {
	const want = "https://adb-1.azuredatabricks.net/ml/experiments/7/traces?selectedEvaluationId=trace%3A%2Fmain.agents.prod%2F0a"
	if got := AtWorkspace("https://adb-1.azuredatabricks.net/", "7", "trace:/main.agents.prod/0a"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
