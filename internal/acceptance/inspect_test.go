package acceptance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"consentgw/consent"

	"github.com/stretchr/testify/require"
)

// metrics are the values of /metrics by their name with labels.
type metrics map[string]float64

// metrics reads what the gateway counts at this moment.
func (s *site) metrics() metrics {
	s.t.Helper()
	m, err := s.tryMetrics()
	require.NoError(s.t, err)
	return m
}

func (s *site) tryMetrics() (metrics, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.apiURL+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	m := metrics{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if i := strings.LastIndex(lines.Text(), "} "); i > 0 { // a label may hold a blank
			name, value = lines.Text()[:i+1], lines.Text()[i+2:]
		}
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(name, "#") {
			m[name] = v
		}
	}
	return m, lines.Err()
}

// sum adds up the values of all label sets of a metric that contain each label.
func (m metrics) sum(name string, labels ...string) (sum float64) {
	for key, v := range m {
		base, rest, _ := strings.Cut(key, "{")
		matches := base == name
		for _, l := range labels {
			matches = matches && strings.Contains(rest, l)
		}
		if matches {
			sum += v
		}
	}
	return sum
}

// usedPorts is how many RTP port pairs are in use on all sides.
func (m metrics) usedPorts() float64 { return m.sum("consentgw_rtp_ports", `state="used"`) }

// grown is how many goroutines a gateway may have beyond those of its first
// moment: probes of targets that do not answer, connections to the store. What
// calls or messages leave behind is as many as they are, hundreds in each test.
const grown = 20

// idle waits until the gateway holds no call, no port and no more goroutines
// than it may, and returns the metrics of that moment.
func (s *site) idle(goroutines float64) metrics {
	s.t.Helper()
	var m metrics
	s.poll("an idle gateway", func() bool {
		if now, err := s.tryMetrics(); err == nil {
			m = now
		}
		return m != nil && m.sum("consentgw_calls_active") == 0 && m.usedPorts() == 0 && m["go_goroutines"] <= goroutines+grown
	}, func() string {
		return fmt.Sprintf("%v calls, %v ports, %v goroutines of %v at most:\n%s",
			m.sum("consentgw_calls_active"), m.usedPorts(), m["go_goroutines"], goroutines+grown, s.gateway.goroutines())
	})
	calls, err := s.api.Calls(s.ctx)
	require.NoError(s.t, err)
	require.Empty(s.t, calls)
	return m
}

// inRedis reads the record of a call from Redis by the keys that are documented.
func (s *site) inRedis(callID string) *consent.Record {
	s.t.Helper()
	r, ok := s.lookInRedis(callID)
	require.True(s.t, ok, "Redis has no record of call %s", callID)
	return r
}

func (s *site) lookInRedis(callID string) (*consent.Record, bool) {
	s.t.Helper()
	id := s.redis.Do("ZREVRANGE", "consentgw:call:"+callID, "0", "0")
	if id == "" {
		return nil, false
	}
	text := s.redis.Do("HGET", "consentgw:{"+id+"}", "json")
	if text == "" {
		return nil, false
	}
	r := &consent.Record{}
	require.NoError(s.t, json.Unmarshal([]byte(text), r))
	return r, true
}

// searched reads all records through the search of the API, by Call-ID.
func (s *site) searched() map[string]*consent.Record {
	s.t.Helper()
	all := map[string]*consent.Record{}
	q := consent.Query{Limit: 100}
	for {
		page, err := s.api.Search(s.ctx, q)
		require.NoError(s.t, err)
		for _, r := range page.Records {
			require.NotContains(s.t, all, r.Call.TrunkCallID, "a record twice in a search")
			all[r.Call.TrunkCallID] = r
		}
		if page.Next == "" {
			return all
		}
		q.Cursor = page.Next
	}
}

// get is one request of the API as a platform makes it.
func (s *site) get(path string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.apiURL+path, nil)
	require.NoError(s.t, err)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res.StatusCode, string(body)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
