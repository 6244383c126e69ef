-- The routes that are served: a look-up in memory that all workers share.
--
-- A key is "AUDIENCE HOST PATH", its value "ADDRESS:PORT ID", with " lease DEADLINE" behind it for a session route, which is served until
-- then by the kernel's monotonic clock. The longest path prefix of whole segments wins. The key "ready" has the portal's host: it is there
-- once mkys-edge has told all routes, and nowhere but in the memory that they are in. Until then nothing is known: the answer is "not yet",
-- never "not there".
local clock = require "mkys.clock"
local dict = ngx.shared.mkys_routes
local find, match, sub = string.find, string.match, string.sub

local _M = {}

-- Paths are looked up to this depth; the edge refuses routes that are deeper.
_M.MAX_DEPTH = 16
_M.READY = "ready"

-- The portal's host; nil while the routes are not known.
function _M.portal()
    return dict:get(_M.READY)
end

-- The route of an entry; nil when its lease is over.
local function route(key, value)
    local target, id, lease = match(value, "^(%S+) (%S+)( ?.*)$")
    if lease ~= "" then
        local deadline = tonumber(match(lease, "^ lease (%S+)$"))
        if deadline and deadline <= clock.now() then
            return nil
        end
    end
    return { key = key, value = value, target = target, id = id, session = lease ~= "" and id or nil }
end

local function at(key)
    local value = dict:get(key)
    return value and route(key, value)
end

-- The route of a request: its target, its id, and the same as its session when it is a session route;
-- nil when there is none.
function _M.find(audience, host, path)
    local stem = audience .. " " .. host .. " "
    -- every prefix that ends before a "/" is a candidate; the longest is asked first
    local ends, depth, from = {}, 0, 2
    while depth < _M.MAX_DEPTH do
        local slash = find(path, "/", from, true)
        depth = depth + 1
        if not slash then
            ends[depth] = #path
            break
        end
        ends[depth] = slash - 1
        from = slash + 1
    end
    for index = depth, 1, -1 do
        if ends[index] > 1 then
            local found = at(stem .. sub(path, 1, ends[index]))
            if found then
                return found
            end
        end
    end
    return at(stem .. "/")
end

-- Whether a route that was found is still there. One that was added since, nearer to the request, takes
-- new requests and cuts nobody.
function _M.holds(known)
    local value = dict:get(known.key)
    if not value or (value == known.value and not known.session) then
        return value ~= nil
    end
    local now = route(known.key, value)
    return now ~= nil and now.id == known.id
end

return _M
