-- Sends the requests of a work, which Python wrote as a Lua table, and prints the measurements as JSON.
-- Requests are prepared texts, at most with a placeholder for a post id: the generator shares the cores
-- with the server that it measures, so it must use little time.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local pick

-- Visits all posts in an order that does not favour caches.
local function scattered(n, posts)
  return n * 7919 % posts + 1
end

local kinds = {
  -- One request, or the requests of all tokens in turn, with or without a post.
  read = function(work)
    local formats, count, posts = work.formats, #work.formats, work.posts
    return function(n)
      return formats[n % count + 1]:format(scattered(n, posts))
    end
  end,
  -- Each vote is new: `posts` + 1 and the number of tokens have no common divisor, so each round through
  -- the posts shifts the tokens by one more place.
  vote = function(work)
    local formats, count, posts = work.formats, #work.formats, work.posts
    return function(n)
      local round = math.floor(n / posts)
      return formats[(n + round) % count + 1]:format(scattered(n, posts))
    end
  end,
  -- Each thread has one connection and one token, which votes for one post and takes the vote back.
  toggle = function(work)
    local add = work.formats[number + 1]:format(work.post)
    local remove = work.removals[number + 1]:format(work.post)
    -- wrk calls this once in its first thread for a request that it does not send.
    local adds = number == 0 and 0 or 1
    return function(n)
      return n % 2 == adds and add or remove
    end
  end,
}

-- Fifty requests in a fixed order, each kind spread evenly according to its share.
local function mixed(parts)
  local order, at = {}, 0
  for _, part in ipairs(parts) do
    part.next, part.n = kinds[part.kind](part), part.start
    for _ = 1, part.share do
      order[at * 7 % 50 + 1] = part
      at = at + 1
    end
  end
  return function(n)
    local part = order[n % 50 + 1]
    part.n = part.n + 1
    return part.next(part.n)
  end
end

local n

function init(args)
  local work = dofile(args[1])
  n = work.start
  pick = work.parts and mixed(work.parts) or kinds[work.kind](work)
end

function request()
  n = n + 1
  return pick(n)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "max": %d, "refused": %d, "lost": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
