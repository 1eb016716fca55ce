package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

// node is any object of the document.
type node = map[string]any

func document(t *testing.T) node {
	t.Helper()
	w := newDesk().ask(t, "GET", "/openapi.json")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	return members(t, w)
}

// at walks down a document; what is not there fails the test.
func at(t *testing.T, n node, keys ...string) node {
	t.Helper()
	for _, k := range keys {
		next, ok := n[k].(node)
		require.True(t, ok, "the description has no %s in %v", k, keys)
		n = next
	}
	return n
}

func TestTheDescriptionHasTheRoutesAndNoOthers(t *testing.T) {
	doc := document(t)
	assert.Equal(t, "3.1.0", doc["openapi"])
	var described, served []string
	for path, methods := range at(t, doc, "paths") {
		for method := range methods.(node) {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range routes() {
		served = append(served, r.method+" "+r.path)
	}
	slices.Sort(described)
	slices.Sort(served)
	assert.Equal(t, served, described)
}

func TestTheDescriptionHasTheParametersAndNoOthers(t *testing.T) {
	doc := document(t)
	ids := map[string]bool{}
	for _, r := range routes() {
		op := at(t, doc, "paths", r.path, strings.ToLower(r.method))
		ids[op["operationId"].(string)] = true
		query, path := []string{}, []string{}
		params, _ := op["parameters"].([]any)
		for _, p := range params {
			p := p.(node)
			if p["in"] == "query" {
				query = append(query, p["name"].(string))
			} else {
				path = append(path, "{"+p["name"].(string)+"}")
				assert.Equal(t, true, p["required"])
			}
		}
		assert.ElementsMatch(t, r.params, query, r.path)
		for _, name := range path {
			assert.Contains(t, r.path, name)
		}
		assert.Equal(t, strings.Count(r.path, "{"), len(path), r.path)
	}
	assert.Len(t, ids, len(routes()), "every operation has an id of its own")
}

func TestTheDescriptionKnowsEveryOutcome(t *testing.T) {
	want := []any{""}
	for _, o := range consent.Outcomes() {
		want = append(want, string(o))
	}
	assert.Equal(t, want, at(t, document(t), "components", "schemas", "Outcome")["enum"])
}

// checker holds values against schemas of the document, more strictly than
// JSON Schema: a member that is not described is a fault.
type checker struct {
	doc   node
	found []string
}

func (c *checker) fault(where, format string, args ...any) {
	c.found = append(c.found, where+": "+fmt.Sprintf(format, args...))
}

func (c *checker) resolve(schema node) node {
	for {
		ref, ok := schema["$ref"].(string)
		if !ok {
			return schema
		}
		schema = c.doc
		for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			next, ok := schema[step].(node)
			if !ok {
				c.fault(ref, "leads nowhere")
				return node{}
			}
			schema = next
		}
	}
}

func (c *checker) check(where string, schema node, v any) {
	schema = c.resolve(schema)
	if choices, ok := schema["oneOf"].([]any); ok {
		c.oneOf(where, choices, v)
		return
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		c.fault(where, "%v is not one of %v", v, enum)
	}
	types, ok := schema["type"].([]any)
	if !ok {
		types = []any{schema["type"]}
	}
	kind := kindOf(v)
	if !slices.Contains(types, any(kind)) && !(kind == "integer" && slices.Contains(types, any("number"))) {
		c.fault(where, "is a %s, described as %v", kind, types)
		return
	}
	switch v := v.(type) {
	case node:
		c.object(where, schema, v)
	case []any:
		for i, item := range v {
			c.check(fmt.Sprintf("%s[%d]", where, i), schema["items"].(node), item)
		}
	}
}

func (c *checker) object(where string, schema, v node) {
	properties, ok := schema["properties"].(node)
	if !ok {
		return // any object
	}
	for name, member := range v {
		described, ok := properties[name].(node)
		if !ok {
			c.fault(where, "%s is not described", name)
			continue
		}
		c.check(where+"."+name, described, member)
	}
	for _, name := range schema["required"].([]any) {
		if _, ok := v[name.(string)]; !ok {
			c.fault(where, "%s is described as always there", name)
		}
	}
}

func (c *checker) oneOf(where string, choices []any, v any) {
	matching := 0
	for _, choice := range choices {
		inner := checker{doc: c.doc}
		inner.check(where, choice.(node), v)
		if len(inner.found) == 0 {
			matching++
		}
	}
	if matching != 1 {
		c.fault(where, "matches %d of %d descriptions", matching, len(choices))
	}
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// everything is a desk whose answers have every member there is.
func everything() *desk {
	d := newDesk()
	live, past := granted(1), over(granted(2))
	past.Call.ConnectedAt = past.Call.AnsweredAt
	past.Withdraw(noon, "api")
	past.Recordings[0].Pauses[0].To = noon
	d.calls.live = []*consent.Record{live, recordOf(4)}
	d.calls.do = func(*consent.Record, string) error { return nil }
	d.store.records = []*consent.Record{past, over(granted(3)), recordOf(5), over(both(6))}
	d.config.Health = doctor{true, []string{"store"}}
	return d
}

func TestRealAnswersAreAsDescribed(t *testing.T) {
	doc := document(t)
	past := string(granted(2).ID)
	for _, c := range []struct{ method, target, path string }{
		{"GET", "/v1/calls", "/v1/calls"},
		{"GET", "/v1/calls/trunk-1@127.0.0.1/consent", "/v1/calls/{call}/consent"},
		{"GET", "/v1/calls/trunk-1@127.0.0.1/consent?shape=flat", "/v1/calls/{call}/consent"},
		{"GET", "/v1/calls/nobody/consent", "/v1/calls/{call}/consent"},
		{"POST", "/v1/calls/trunk-1@127.0.0.1/withdraw", "/v1/calls/{call}/withdraw"},
		{"POST", "/v1/calls/trunk-1@127.0.0.1/pause", "/v1/calls/{call}/pause"},
		{"POST", "/v1/calls/trunk-1@127.0.0.1/resume", "/v1/calls/{call}/resume"},
		{"POST", "/v1/calls/nobody/hangup", "/v1/calls/{call}/hangup"},
		{"GET", "/v1/consents?limit=1", "/v1/consents"},
		{"GET", "/v1/consents?limit=0", "/v1/consents"},
		{"GET", "/v1/consents", "/v1/consents"},
		{"GET", "/v1/consents/" + past, "/v1/consents/{id}"},
		{"GET", "/v1/consents/nobody", "/v1/consents/{id}"},
		{"POST", "/v1/consents/" + past + "/withdraw", "/v1/consents/{id}/withdraw"},
		{"GET", "/v1/export?format=xlsx", "/v1/export"},
		{"GET", "/healthz", "/healthz"},
		{"GET", "/readyz", "/readyz"},
		{"GET", "/openapi.json", "/openapi.json"},
	} {
		w := everything().ask(t, c.method, c.target)
		holdAgainst(t, doc, c.method, c.path, w)
	}
	d := everything()
	d.config.Health = doctor{false, []string{"draining"}}
	holdAgainst(t, doc, "GET", "/readyz", d.ask(t, "GET", "/readyz"))
}

func holdAgainst(t *testing.T, doc node, method, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	c := &checker{doc: doc}
	responses := at(t, doc, "paths", path, strings.ToLower(method), "responses")
	response, ok := responses[fmt.Sprint(w.Code)].(node)
	if !ok {
		response = at(t, responses, "default")
	}
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	schema := at(t, c.resolve(response), "content", kind, "schema")
	var v any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v))
	c.check("answer", schema, v)
	assert.Empty(t, c.found, "%s %s", method, path)
}

func TestALineOfTheExportIsAsDescribed(t *testing.T) {
	w := everything().ask(t, "GET", "/v1/export?format=jsonl")
	c := &checker{doc: document(t)}
	schema := at(t, c.doc, "paths", "/v1/export", "get", "responses", "200", "content", "application/x-ndjson", "schema")
	for line := range strings.Lines(w.Body.String()) {
		var v any
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		c.check("line", schema, v)
	}
	assert.Empty(t, c.found)
}

func TestTheCheckerFindsFaults(t *testing.T) {
	schema := node{"type": "object", "required": []any{"a"}, "properties": node{"a": node{"type": "string", "enum": []any{"x"}}}}
	for _, v := range []any{node{}, node{"a": 1.0}, node{"a": "y"}, node{"a": "x", "b": true}, "a", nil} {
		c := &checker{}
		c.check("v", schema, v)
		assert.NotEmpty(t, c.found, "%v", v)
	}
	c := &checker{}
	c.check("v", schema, node{"a": "x"})
	assert.Empty(t, c.found)
}
