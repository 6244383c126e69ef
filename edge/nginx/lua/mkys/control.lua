-- What mkys-edge tells over the local socket. Each message is short: many routes are told in several.
--
-- PUT /routes {"set": [[key, value, seconds], …], "remove": [key, …], "forget": [id, …], "ready": host} changes some. An entry with
--   seconds is a lease and ends by itself; 0: never. It is answered when the change is served by every worker, as
--   they share the memory: {"refused": [key, …]} are those for which the memory has no room, where there are any.
--   "ready", with the portal's host, says that all routes are told.
-- GET /keys gives all keys: {"keys": [key, …]}, where there are any.
-- GET /status says whether the routes are known, and by which configuration this worker runs.
-- PUT /uses {"ids": [id, …]} asks who uses session routes.
local cjson = require "cjson.safe"
local dict = ngx.shared.mkys_routes
local activity = require "mkys.activity"
local clock = require "mkys.clock"
local routes = require "mkys.routes"

local _M = {}

local function answer(status, body)
    ngx.status = status
    ngx.header.content_type = "application/json"
    ngx.print(cjson.encode(body))
end

local function body()
    ngx.req.read_body()
    return cjson.decode(ngx.req.get_body_data() or "")
end

-- What was put; nil when it was answered already.
local function put()
    if ngx.req.get_method() ~= "PUT" then
        return answer(405, { error = "only PUT" })
    end
    local what, wrong = body()
    if type(what) ~= "table" then
        return answer(400, { error = "not JSON: " .. tostring(wrong) })
    end
    return what
end

function _M.routes()
    local change = put()
    if not change then
        return
    end
    -- a worker of an earlier configuration may still listen, and is not to be told instead of those that come
    if change.configuration ~= routes.configuration then
        return answer(409, { error = "this worker runs by another configuration" })
    end
    for _, key in ipairs(change.remove or {}) do
        dict:delete(key)
    end
    local refused = {}
    for _, entry in ipairs(change.set or {}) do
        local key, value, seconds = entry[1], entry[2], entry[3]
        if seconds > 0 then
            value = value .. " lease " .. string.format("%.3f", clock.now() + seconds)
        end
        -- safe_set never pushes another route out when the memory is full
        if not dict:safe_set(key, value) then
            -- nor is what was there before: it is not what mkys-edge has
            dict:delete(key)
            refused[#refused + 1] = key
        end
    end
    activity.forget(change.forget or {})
    if type(change.ready) == "string" then
        dict:safe_set(routes.READY, change.ready)
    end
    return answer(200, { refused = #refused > 0 and refused or nil })
end

function _M.keys()
    local keys = {}
    for _, key in ipairs(dict:get_keys(0)) do
        if key ~= routes.READY then
            keys[#keys + 1] = key
        end
    end
    -- in an object: an empty table of Lua's is one
    return answer(200, { keys = #keys > 0 and keys or nil })
end

function _M.status()
    return answer(200, {
        ready = routes.portal() ~= nil,
        configuration = routes.configuration,
        free = dict:free_space(),
        worker = ngx.worker.pid(),
    })
end

function _M.uses()
    local what = put()
    if what then
        return answer(200, activity.uses(what.ids or {}))
    end
end

return _M
