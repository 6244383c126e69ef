-- The routes that are served: a look-up in memory that all workers share.
--
-- A key is "AUDIENCE HOST PATH", its value "ADDRESS:PORT ID", with " lease" behind it for a session
-- route, whose entry ends by itself. The longest path prefix of whole segments wins. Until mkys-edge has told all routes after a start of NGINX, nothing is known: then
-- the answer is "not yet", never "not there".
local dict = ngx.shared.mkys_routes
local state = ngx.shared.mkys_state
local find, match, sub = string.find, string.match, string.sub

local _M = {}

-- Paths are looked up to this depth; the edge refuses routes that are deeper.
_M.MAX_DEPTH = 16

function _M.is_ready()
    return state:get("ready") == true
end

local function route(key, value)
    local target, id, lease = match(value, "^(%S+) (%S+)( ?.*)$")
    return { key = key, value = value, target = target, id = id, session = lease ~= "" and id or nil }
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
            local key = stem .. sub(path, 1, ends[index])
            local value = dict:get(key)
            if value then
                return route(key, value)
            end
        end
    end
    local key = stem .. "/"
    local value = dict:get(key)
    return value and route(key, value)
end

-- Whether a route that was found is still there. One that was added since, nearer to the request, takes
-- new requests and cuts nobody.
function _M.holds(known)
    local value = dict:get(known.key)
    return value == known.value or (value ~= nil and route(known.key, value).id == known.id)
end

return _M
