package rig

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Browser is a headless Chromium with one page. It is told what to do over a pipe, in the DevTools protocol.
type Browser struct {
	t      testing.TB
	to     *os.File
	answer chan devtools
	page   string // ID of the session with it
	last   int

	mu     sync.Mutex
	events []devtools
}

// devtools is a message of the protocol.
type devtools struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// OpenBrowser starts Chromium, and ends it with the test. It skips the test where there is none.
func OpenBrowser(t testing.TB) *Browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium here; Debian has it in the package of that name")
	}
	c := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.ExtraFiles = []*os.File{in, out} // which the program knows as 3 and 4
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &Browser{t: t, to: to, answer: make(chan devtools)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(from)
	}()
	t.Cleanup(func() {
		to.Close() // it ends when nobody can tell it anything any more
		if err := c.Wait(); err != nil {
			t.Logf("chromium ended with %v", err)
		}
		from.Close()
		<-read
	})
	var target struct{ TargetID string }
	b.call(&target, "Target.createTarget", map[string]any{"url": "about:blank"})
	var session struct{ SessionID string }
	b.call(&session, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true})
	b.page = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(nil, domain+".enable", nil)
	}
	return b
}

// read takes messages apart into answers and events.
func (b *Browser) read(from *os.File) {
	defer close(b.answer)
	r := bufio.NewReader(from)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m devtools
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m) != nil {
			continue
		}
		if m.ID != 0 {
			b.answer <- m
			continue
		}
		b.mu.Lock()
		b.events = append(b.events, m)
		b.mu.Unlock()
	}
}

// call does one thing, and decodes what comes of it.
func (b *Browser) call(result any, method string, params any) {
	b.t.Helper()
	b.last++
	text, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	if params == nil {
		text = nil
	}
	m, err := json.Marshal(devtools{ID: b.last, Session: b.page, Method: method, Params: text})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(m, 0)); err != nil {
		b.t.Fatal(err)
	}
	select {
	case a, ok := <-b.answer:
		switch {
		case !ok:
			b.t.Fatal("chromium has ended")
		case a.Error != nil:
			b.t.Fatalf("%s: %s", method, a.Error.Message)
		case result != nil:
			if err := json.Unmarshal(a.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
	case <-time.After(time.Minute):
		b.t.Fatalf("chromium does not answer to %s", method)
	}
}

// Show opens the file of a page in a window of so many pixels, in dark colors or light ones.
func (b *Browser) Show(file string, width int, dark bool) {
	b.t.Helper()
	b.call(nil, "Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600,
	})
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.call(nil, "Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	})
	b.Visit("file://" + file)
}

// Visit opens an address.
func (b *Browser) Visit(address string) {
	b.t.Helper()
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	b.call(nil, "Page.navigate", map[string]any{"url": address})
	b.Eval(nil, `new Promise(done => document.readyState == "complete" ? done() : addEventListener("load", () => done()))`)
}

// Eval decodes the value of a JavaScript expression in the page; a promise is awaited.
func (b *Browser) Eval(result any, expression string) {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Text string }
	}
	b.call(&r, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true})
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails.Text)
	}
	if result != nil {
		if err := json.Unmarshal(r.Result.Value, result); err != nil {
			b.t.Fatalf("%s: %v", expression, err)
		}
	}
}

// Complaints are what the page has said in the console since it was shown, dialogs that it opened, and what it asked servers for, or
// files but itself.
func (b *Browser) Complaints() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		switch e.Method {
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening":
			all = append(all, e.Method+" "+string(e.Params))
		case "Network.requestWillBeSent":
			var p struct {
				Type    string
				Request struct{ URL string }
			}
			if err := json.Unmarshal(e.Params, &p); err != nil || p.Type != "Document" {
				all = append(all, "request of "+p.Request.URL)
			}
		}
	}
	return all
}

// Picture is a PNG of the whole page as it is shown.
func (b *Browser) Picture() []byte {
	b.t.Helper()
	return b.bytes("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true})
}

// Print is the page as a PDF.
func (b *Browser) Print() []byte {
	b.t.Helper()
	return b.bytes("Page.printToPDF", map[string]any{"printBackground": false, "preferCSSPageSize": true})
}

func (b *Browser) bytes(method string, params any) []byte {
	b.t.Helper()
	var r struct{ Data string }
	b.call(&r, method, params)
	data, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}
