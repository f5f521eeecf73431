-- Prints what wrk measured as one line of JSON.
done = function(summary, latency)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format('\n{"operations":%d,"errors":%d,"rate":%.0f,"p50":%.2f,"p99":%.2f}\n', summary.requests, errors,
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
