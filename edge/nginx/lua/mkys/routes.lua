-- The routes that are served: a look-up in memory that all workers share.
--
-- A key is "AUDIENCE HOST PATH", its value "ADDRESS:PORT ID". The longest path prefix of whole
-- segments wins. Until mkys-edge has told all routes after a start of NGINX, nothing is known: then
-- the answer is "not yet", never "not there".
local dict = ngx.shared.mkys_routes
local state = ngx.shared.mkys_state
local find, sub = string.find, string.sub

local _M = {}

-- Paths are looked up to this depth; the edge refuses routes that are deeper.
_M.MAX_DEPTH = 16

function _M.is_ready()
    return state:get("ready") == true
end

-- Target and route's id for a request; nil when there is none.
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
            local value = dict:get(stem .. sub(path, 1, ends[index]))
            if value then
                local space = find(value, " ", 1, true)
                return sub(value, 1, space - 1), sub(value, space + 1)
            end
        end
    end
    local value = dict:get(stem .. "/")
    if value then
        local space = find(value, " ", 1, true)
        return sub(value, 1, space - 1), sub(value, space + 1)
    end
    return nil
end

-- Whether a route still leads its audience to where it led.
function _M.holds(audience, host, path, id)
    local _, now = _M.find(audience, host, path)
    return now == id
end

return _M
