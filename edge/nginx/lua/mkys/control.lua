-- What mkys-edge tells over the local socket.
--
-- PUT /routes {"all": true, "set": [[key, value, seconds], …]} replaces everything;
-- PUT /routes {"set": [[key, value, seconds], …], "remove": [key, …], "forget": [id, …]} changes some.
-- An entry ends by itself after its seconds, whoever is alive then; 0: never.
-- Each answers only when the change is served by every worker: they share the memory.
-- PUT /uses {"ids": [id, …]} asks who uses session routes.
local cjson = require "cjson.safe"
local routes = ngx.shared.mkys_routes
local state = ngx.shared.mkys_state
local activity = require "mkys.activity"

local _M = {}

local function answer(status, body)
    ngx.status = status
    ngx.header.content_type = "application/json"
    ngx.print(cjson.encode(body))
end

local function body()
    ngx.req.read_body()
    local text = ngx.req.get_body_data()
    if not text then
        local name = ngx.req.get_body_file()
        if name then
            local file = io.open(name, "rb")
            text = file:read("*a")
            file:close()
        end
    end
    return cjson.decode(text or "")
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

-- safe_set never pushes another route out when the memory is full; but what has ended may lie there still
local function set(key, value, seconds)
    local ok, why = routes:safe_set(key, value, seconds)
    if not ok and why == "no memory" then
        routes:flush_expired()
        ok, why = routes:safe_set(key, value, seconds)
    end
    return ok, why
end

function _M.routes()
    local change = put()
    if not change then
        return
    end
    if change.all then
        -- what is not in the new set goes; what is stays served all the while
        local keep = {}
        for _, entry in ipairs(change.set or {}) do
            keep[entry[1]] = true
        end
        for _, key in ipairs(routes:get_keys(0)) do
            if not keep[key] then
                routes:delete(key)
            end
        end
    end
    for _, key in ipairs(change.remove or {}) do
        routes:delete(key)
    end
    for _, entry in ipairs(change.set or {}) do
        local ok, why = set(entry[1], entry[2], entry[3])
        if not ok then
            return answer(507, { error = "the memory for routes is full: " .. tostring(why) })
        end
    end
    activity.forget(change.forget or {})
    if change.all then
        state:set("portal", change.portal or "")
        state:set("ready", true)
    end
    return answer(200, { ok = true })
end

function _M.status()
    return answer(200, {
        ready = state:get("ready") == true,
        free = routes:free_space(),
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
